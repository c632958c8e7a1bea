package templates

import "time"

// SetClock has the limit of time go by another clock.
func (r *Renderer) SetClock(now func() time.Time) { r.now = now }
