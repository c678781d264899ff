package daemon

import (
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/unixsock"
	"github.com/brokerd/brokerd/internal/uploader"
)

// descriptorsPerUpload are the connection of the client, the handed-over file, a file of
// the spool, and two connections to S3.
const descriptorsPerUpload = 5

// limitDescriptors admits no more uploads than the limit of open files carries, and warns
// when that is fewer than the memory budget admits. Uploads above it are refused as
// TOO_MANY_UPLOADS, which is temporary.
func limitDescriptors(log *zap.Logger, budget *uploader.Budget) {
	n := unixsock.Fits(descriptorsPerUpload)
	if n >= budget.MaxUploads() {
		return
	}
	log.Warn("the limit of open files is too low for the uploads that the memory budget admits; raise LimitNOFILE of the unit, or ulimit -n",
		zap.Uint64("limit", unixsock.DescriptorLimit()), zap.Int("max_uploads", n), zap.Int("memory_admits", budget.MaxUploads()))
	budget.LimitUploads(n)
}
