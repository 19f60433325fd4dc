// Package geo places GeoJSON shapes on the globe: which shapes are well formed, which cells cover them, and how
// two of them lie to each other.
//
// The globe is a sphere and the sides of polygons are great circles, the shorter way round, as in the S2 library
// that does the arithmetic (s2geometry.io). So a side may cross the antimeridian, and a ring may go around a
// pole. The inside of a ring is its smaller side, whichever way round it is written; what a hole takes away is
// not part of the polygon. Of two polygons that share a side each point belongs to one only, and they do not
// intersect. A ring that crosses itself has inside what an odd number of its sides goes around.
//
// Only points, polygons and multipolygons have a place. Other GeoJSON kinds can be checked and nothing more. A
// shape near another is told by metres along the surface, with the mean radius of the Earth; altitudes are
// ignored.
//
// It is not a store of values (graph/types) and knows no index (schema/tok). Everything is a pure function and a
// Shape may be shared between goroutines.
package geo
