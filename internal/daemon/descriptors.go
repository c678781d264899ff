package daemon

import (
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Descriptors that the daemon needs, besides its uploads and its deliveries: the
// sockets, the spool's directories and logs, epoll, the connections of the metrics.
const ownDescriptors = 64

// descriptorsPerUpload covers the connection of the client, the handed-over file, and a
// connection to S3 or a file of the spool.
const descriptorsPerUpload = 3

// warnDescriptors warns when the limit of open files is below the need of as many
// uploads and deliveries as the daemon admits.
func warnDescriptors(log *zap.Logger, uploads, deliveries int) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		log.Warn("reading the limit of open files failed", zap.Error(err))
		return
	}
	if need := neededDescriptors(uploads, deliveries); r.Cur < need {
		log.Warn("the limit of open files is too low for max_uploads: uploads will be refused as TOO_MANY_FILES; raise LimitNOFILE of the unit, or ulimit -n",
			zap.Uint64("limit", r.Cur), zap.Uint64("needed", need), zap.Int("max_uploads", uploads))
	}
}

func neededDescriptors(uploads, deliveries int) uint64 {
	return uint64(ownDescriptors + descriptorsPerUpload*uploads + 2*deliveries)
}
