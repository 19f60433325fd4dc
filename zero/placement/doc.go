// Package placement plans which tablets move to which groups, from sizes and load: pure functions of what is known.
//
// The weight of a tablet is its share of all bytes and of all load, half and half; that of a group is what its tablets weigh. A
// plan is one move at a time, from the heaviest group to the lightest, and only if it evens out more than a threshold: so every
// move makes the sum of the squares of the groups' weights smaller, and a plan that is carried out is never taken back as long as
// sizes and load stay as they are. The load counts only where there is one: next to none is noise.
package placement
