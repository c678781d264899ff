//go:build linux

package fusetest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// peerName is the name of the process, and how it is told.
	peerName = "brokerd-test-fuse-peer"
	// control is its end of the socket to the test.
	control = 3
	// settings is the variable with the operations to withhold and the directories.
	settings = "FUSETEST"
	fileName = "f"
)

// IsPeer reports whether this process is the hostile one; args are those of os.Args.
func IsPeer(args []string) bool { return len(args) == 1 && args[0] == peerName }

// fs is the file system in the hostile process.
type fs struct {
	dev     int
	blocked map[uint32]bool
	events  sync.Mutex
}

// Peer is the hostile process. It returns the exit code when the test has ended.
func Peer() int {
	fields := strings.Split(os.Getenv(settings), ";")
	if len(fields) != 3 {
		return 2
	}
	ops, dir, overlay := fields[0], fields[1], fields[2]
	f := &fs{blocked: make(map[uint32]bool)}
	for s := range strings.SplitSeq(ops, ",") {
		if n, err := strconv.ParseUint(s, 10, 32); err == nil {
			f.blocked[uint32(n)] = true
		}
	}
	if why := f.mount(dir, overlay); why != "" {
		f.tell("skip: " + why)
		return 0
	}
	f.tell("mounted")
	if overlay != "" {
		dir = overlay
	}
	for f.handOver(filepath.Join(dir, fileName)) {
	}
	return 0
}

// mount returns the reason why it cannot.
func (f *fs) mount(dir, overlay string) string {
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return "/dev/fuse: " + err.Error()
	}
	f.dev = dev
	options := "fd=" + strconv.Itoa(dev) + ",rootmode=40000,user_id=0,group_id=0,allow_other"
	if err := unix.Mount("fusetest", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return "mounting FUSE: " + err.Error()
	}
	go f.serve()
	if overlay == "" {
		return ""
	}
	if err := unix.Mount("overlay", overlay, "overlay", 0, "lowerdir="+dir+":"+filepath.Dir(overlay)+"/empty"); err != nil {
		return "mounting an overlay: " + err.Error()
	}
	return ""
}

// handOver waits for a connection and a message, and sends both with the file.
func (f *fs) handOver(path string) bool {
	raw, oob := make([]byte, 1<<15), make([]byte, unix.CmsgSpace(4))
	n, oobn, _, _, err := unix.Recvmsg(control, raw, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return false
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(msgs) != 1 {
		return false
	}
	conns, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(conns) != 1 {
		return false
	}
	defer func() { _ = unix.Close(conns[0]) }()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		f.tell("error: " + err.Error())
		return true
	}
	err = unix.Sendmsg(conns[0], raw[:n], unix.UnixRights(fd), nil, 0)
	_ = unix.Close(fd) // the requests of this process are answered
	if err != nil {
		f.tell("error: " + err.Error())
		return true
	}
	f.tell("sent")
	return true
}

// tell sends the test an event.
func (f *fs) tell(event string) {
	f.events.Lock()
	defer f.events.Unlock()
	_, _ = unix.Write(control, []byte(event)) // the test may have ended
}

// withhold reports whether a request stays unanswered.
func (f *fs) withhold(op, thread uint32) bool {
	if !f.blocked[op] {
		return false
	}
	if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(int(thread))); err == nil {
		return false // a thread of this process
	}
	f.tell("withheld " + strconv.Itoa(int(op)))
	return true
}
