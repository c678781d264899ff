package console

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/reason"
)

// The exit codes of all commands.
const (
	ExitOK        = 0
	ExitFailed    = 1  // failed, and trying again does not help
	ExitOpen      = 2  // not failed, and not done: something is undecided, or setup plan has changes
	ExitNoRun     = 3  // verify could not run
	ExitUsage     = 64 // EX_USAGE: wrong flags or arguments, or an unknown command
	ExitReport    = 74 // EX_IOERR: the uploads succeeded, and the report could not be written
	ExitTemporary = 75 // EX_TEMPFAIL: the same call may succeed later
	ExitRefused   = 77 // EX_NOPERM: the daemon, or its socket, does not let this user do it
	ExitSocket    = 78 // EX_CONFIG: the path is not the socket of a brokerd
	ExitSignal    = 130
)

// ExitError carries the exit code of a command. A nil err means that the command has
// already printed its errors.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// UsageError gives err the exit code of wrong usage.
func UsageError(err error) error { return &ExitError{Code: ExitUsage, Err: err} }

// ExitCode is the code for an error of a command.
func ExitCode(err error) int {
	var exit *ExitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &exit):
		return exit.Code
	case errors.Is(err, context.Canceled):
		return ExitSignal
	}
	return CodeOf(err)
}

// CodeOf returns the exit code for an error of the daemon: refused, temporary or final.
func CodeOf(err error) int {
	var ce *client.Error
	if !errors.As(err, &ce) {
		return ExitFailed
	}
	switch {
	case ce.Code == codes.PermissionDenied || ce.Code == codes.Unauthenticated:
		return ExitRefused
	case ce.Reason == string(reason.SocketInvalid):
		return ExitSocket
	case ce.Temporary():
		return ExitTemporary
	}
	return ExitFailed
}

const exitCodesText = `Exit codes of brokerctl:

  0    done: every file stored, every check passed, every destination ready
  1    failed, and the same call fails again until the cause is repaired: an
       upload failed permanently, or a check of verify failed
  2    not failed, and not done: verify or policy simulate could not decide
       everything, or setup plan has changes
  3    verify could not run (no daemon, unknown destination, refused)
  64   wrong flags or arguments, or an unknown command; nothing was done
  74   upload: every file is stored, but its report could not be written, for
       example to a full disk. Do not send the files again
  75   temporary: the daemon or AWS is busy or could not be reached. Run the same
       call again. If several files were sent, standard error names the failed
       ones; with -o json they have "state":"failed" and "retryable":true
  77   refused: no access rule of the daemon lets this user do it, or this user may
       not open its socket
  78   the socket's path is wrong: it is not the socket of a brokerd
  130  interrupted

If files fail in different ways, the exit code is 1 before 78 before 77 before 75: with 75,
sending the failed files again is enough.`

// ExitCodesTopic is the help topic exit-codes.
func ExitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesText}
}
