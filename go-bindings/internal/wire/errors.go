package wire

import "fmt"

// MessageError says why bytes are not the message they claim to be, and what is right.
type MessageError struct {
	reason string
}

func (e *MessageError) Error() string { return e.reason }

func malformed(format string, arguments ...any) error {
	return &MessageError{reason: fmt.Sprintf(format, arguments...)}
}

func meaningless(field string, found uint64) error {
	return malformed("the field `%s` is %d, which means nothing in this version", field, found)
}
