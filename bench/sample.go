package main

// sample is one contestant's turn in one round.
type sample struct {
	Objects int     `json:"objects,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`
	Wall    float64 `json:"wall_s,omitempty"`       // from the first object to the last confirmation
	CPU     float64 `json:"cpu_s,omitempty"`        // application and broker, user and system
	Client  float64 `json:"cpu_app_s,omitempty"`    // the application's part of CPU
	SinkCPU float64 `json:"cpu_sink_s,omitempty"`   // the sink's, which is no part of CPU
	Others  float64 `json:"cpu_others_s,omitempty"` // what everybody else used of the two cores meanwhile
	Elapsed float64 `json:"elapsed_s,omitempty"`    // of the whole turn, until the sink has everything
	Peak    int64   `json:"peak_bytes,omitempty"`   // resident memory: brokerd's, or the application's without it
	Idle    int64   `json:"idle_bytes,omitempty"`   // resident memory of a daemon that has nothing to do
	Ready   float64 `json:"ready_s,omitempty"`      // from the start of the process to READY
}

// busy is the share of a core that the sink needed. Near 1 the sink, and not the
// contestant, was measured.
func (s sample) busy() float64 {
	if s.Elapsed == 0 {
		return 0
	}
	return s.SinkCPU / s.Elapsed
}

// disturbed is how many cores were taken by others meanwhile: two would be all.
func (s sample) disturbed() float64 {
	if s.Elapsed == 0 {
		return 0
	}
	return s.Others / s.Elapsed
}

// outcome is what came of a contest.
type outcome struct {
	Name    string              `json:"name"`
	Samples map[string][]sample `json:"samples"`           // by contestant, one a round
	Skipped map[string]string   `json:"skipped,omitempty"` // contestants that could not take part, and why
	field   []string
}

// series is a metric of a contestant, round by round.
func (r outcome) series(contestant string, m metric) []float64 {
	var out []float64
	for _, s := range r.Samples[contestant] {
		out = append(out, m.of(s))
	}
	return out
}
