package main

// sample is the measurement of one participant in one round.
type sample struct {
	Objects int     `json:"objects,omitempty"`
	Bytes   int64   `json:"bytes,omitempty"`
	Wall    float64 `json:"wall_s,omitempty"`       // from the first object to the last confirmation
	CPU     float64 `json:"cpu_s,omitempty"`        // application and broker, user and system
	Client  float64 `json:"cpu_app_s,omitempty"`    // the application's part of CPU
	SinkCPU float64 `json:"cpu_sink_s,omitempty"`   // the sink's, which is no part of CPU
	Others  float64 `json:"cpu_others_s,omitempty"` // used by other processes on the two cores meanwhile
	Elapsed float64 `json:"elapsed_s,omitempty"`    // of the whole turn, until the sink has everything
	Peak    int64   `json:"peak_bytes,omitempty"`   // resident memory: brokerd's, or the application's without it
	Idle    int64   `json:"idle_bytes,omitempty"`   // resident memory of a daemon that has nothing to do
	Ready   float64 `json:"ready_s,omitempty"`      // from the start of the process to READY
}

// busy is the share of a core that the sink used. A value near 1 means that the sink
// limited the run, not the participant.
func (s sample) busy() float64 {
	if s.Elapsed == 0 {
		return 0
	}
	return s.SinkCPU / s.Elapsed
}

// disturbed is the number of cores, at most 2, that other processes used meanwhile.
func (s sample) disturbed() float64 {
	if s.Elapsed == 0 {
		return 0
	}
	return s.Others / s.Elapsed
}

// outcome holds the samples of a case.
type outcome struct {
	Name    string              `json:"name"`
	Samples map[string][]sample `json:"samples"`           // by participant, one a round
	Skipped map[string]string   `json:"skipped,omitempty"` // participants that could not run, and why
	field   []string
}

// series returns a metric of a participant, round by round.
func (r outcome) series(participant string, m metric) []float64 {
	var out []float64
	for _, s := range r.Samples[participant] {
		out = append(out, m.of(s))
	}
	return out
}
