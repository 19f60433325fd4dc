package query

import "context"

// stepsBetween is how many steps of long loops lie between two looks at the context.
const stepsBetween = 1024

// gone says that nobody waits for the answer any more. It looks at the context only now and then, so that it may be asked at every
// step of a long loop. From then on the loop may do anything that is quick, such as call all elements equal: its caller asks quit.
func (r *run) gone() bool {
	if r.steps++; r.steps%stepsBetween == 0 {
		r.left = r.left || r.ctx.Err() != nil
	}
	return r.left
}

// quit returns the error with which a run ends that nobody waits for; nil where somebody does.
func (r *run) quit() error {
	if r.ctx.Err() == nil {
		return nil
	}
	return context.Cause(r.ctx)
}
