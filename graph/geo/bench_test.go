package geo

import (
	"math"
	"strconv"
	"testing"

	"github.com/twpayne/go-geom"
)

// regular is n corners around a place, deg degrees from it.
func regular(lon, lat, deg float64, n int) [][]geom.Coord {
	ring := make([]geom.Coord, 0, n+1)
	for i := range n + 1 {
		a := 2 * math.Pi * float64(i%n) / float64(n)
		ring = append(ring, geom.Coord{lon + deg*math.Cos(a), lat + deg*math.Sin(a)})
	}
	return [][]geom.Coord{ring}
}

// What a shape costs when it is stored (New and Cover), and when a search has found it (New and a relation): a
// point, polygons of ordinary size, and the largest ones.
func BenchmarkShape(b *testing.B) {
	shapes := map[string]geom.T{"point": geom.NewPoint(geom.XY).MustSetCoords(geom.Coord{7.45, 46.948})}
	for _, n := range []int{5, 100, 1_000, MaxVertices - 1} {
		shapes["corners="+strconv.Itoa(n)] = geom.NewPolygon(geom.XY).MustSetCoords(regular(7, 47, 0.5, n))
	}
	var many [][][]geom.Coord
	for i := range MaxVertices / 4 {
		many = append(many, regular(float64(i%50)/50, 46.5+float64(i/50)/50, 0.009, 3))
	}
	shapes["parts="+strconv.Itoa(len(many))] = geom.NewMultiPolygon(geom.XY).MustSetCoords(many)
	for name, g := range shapes {
		area, err := New(geom.NewPolygon(geom.XY).MustSetCoords(regular(7.6, 47.1, 0.5, 20)))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("cover/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, _ := New(g)
				s.Cover(12)
			}
		})
		b.Run("intersects/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, _ := New(g)
				s.Intersects(area)
			}
		})
		same, err := New(g)
		if err != nil || same.IsPoint() {
			continue
		}
		b.Run("within itself/"+name, func(b *testing.B) {
			for b.Loop() {
				s, _ := New(g)
				s.Within(same)
			}
		})
	}
}
