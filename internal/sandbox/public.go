package sandbox

import (
	"github.com/brokerd/brokerd/internal/iampolicy"
)

func publicPolicy(*iampolicy.Document) bool { return false }
