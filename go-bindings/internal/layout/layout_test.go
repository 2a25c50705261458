package layout

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Everything of this package under the names of testdata/layout.txt, which all languages read.
var golden = map[string]uint64{
	"LAYOUT_VERSION": Version, "LINE": Line, "HEADER_BYTES": HeaderBytes, "PADDING_BIT": PaddingBit,
	"RECORD_LENGTH": RecordLength, "RECORD_NUMBER_LOW": RecordNumberLow, "RECORD_KIND": RecordKind,
	"RECORD_FLAGS": RecordFlags, "RECORD_NUMBER_HIGH": RecordNumberHigh, "RECORD_PAYLOAD": RecordPayload,
	"FLAGS_MUST_UNDERSTAND": FlagsMustUnderstand, "REGION_MAGIC": RegionMagic,
	"REGION_MAGIC_OFFSET": RegionMagicOffset, "REGION_VERSION_OFFSET": RegionVersionOffset,
	"REGION_ROLE_OFFSET": RegionRoleOffset, "REGION_HOST_ID_OFFSET": RegionHostIDOffset,
	"REGION_EPOCH_OFFSET": RegionEpochOffset, "ROLE_REQUEST": RoleRequest, "ROLE_REPLY": RoleReply,
	"SHARD_LINES_OFFSET": ShardLinesOffset, "MAX_SHARDS": MaxShards, "LANES_OFFSET": LanesOffset,
	"LANE_CONTROL_BYTES": LaneControlBytes, "MAX_LANES": MaxLanes, "LANE_REPLY_POSITION": LaneReplyPosition,
	"LANE_NEED_WAKEUP": LaneNeedWakeup, "LANE_IN_USE": LaneInUse,
	"LANE_REQUEST_POSITION": LaneRequestPosition, "MIN_CAPACITY": MinCapacity, "MAX_CAPACITY": MaxCapacity,
	"DEFAULT_CAPACITY": DefaultCapacity, "RING_SKEW": RingSkew, "ENGINE_STATUS_FIRST": EngineStatusFirst,
	"STATUS_OK": StatusOK, "STATUS_PANIC": StatusPanic, "STATUS_POISON": StatusPoison,
	"STATUS_TOO_LARGE": StatusTooLarge, "STATUS_UNKNOWN_FLAG": StatusUnknownFlag,

	"ROLE_EVENT": RoleEvent, "MAX_EVENT_RINGS": MaxEventRings, "EVENT_LINES_OFFSET": EventLinesOffset,
	"EVENT_NEXT_NUMBER": EventNextNumber, "EVENT_NEED_WAKEUP": EventNeedWakeup,
	"EVENT_OVERWRITTEN": EventOverwritten, "EVENT_SEQUENCE": EventSequence,
	"EVENT_REJOIN_EVEN": EventRejoinEven, "EVENT_REJOIN_ODD": EventRejoinOdd,
	"EVENT_RING_OFFSET": EventRingOffset,

	"payload_limit(4096)": uint64(PayloadLimit(4096)), "payload_limit(1048576)": uint64(PayloadLimit(1 << 20)),
	"record_bytes(0)": RecordBytes(0), "record_bytes(48)": RecordBytes(48),
	"record_bytes(49)": RecordBytes(49), "record_bytes(240)": RecordBytes(240),
	"rings_offset(1)": RingsOffset(1), "rings_offset(32)": RingsOffset(32),
	"rings_offset(33)": RingsOffset(33), "rings_offset(1024)": RingsOffset(1024),
	"ring_offset(1, 0, 1048576)": RingOffset(1, 0, 1<<20), "ring_offset(2, 1, 1048576)": RingOffset(2, 1, 1<<20),
	"ring_offset(1024, 1023, 4096)": RingOffset(1024, 1023, 4096), "region_bytes(1, 4096)": RegionBytes(1, 4096),
	"region_bytes(2, 1048576)": RegionBytes(2, 1<<20), "region_bytes(1024, 1048576)": RegionBytes(1024, 1<<20),
	"lane_control_offset(0)": LaneControlOffset(0), "lane_control_offset(1023)": LaneControlOffset(1023),
	"reply_position_offset(0, 1)": ReplyPositionOffset(0, 1), "reply_position_offset(0, 2)": ReplyPositionOffset(0, 2),
	"reply_position_offset(5, 3)": ReplyPositionOffset(5, 3), "rings_offset(0)": RingsOffset(0),
	"region_bytes(0, 0)": RegionBytes(0, 0), "event_region_bytes(4096)": EventRegionBytes(4096),
	"event_region_bytes(1048576)": EventRegionBytes(1 << 20), "event_line_offset(0)": EventLineOffset(0),
	"event_line_offset(47)": EventLineOffset(47),
}

// The messages of the conversation are package wire's, and its test holds those names.
func isWire(name string) bool {
	for _, prefix := range []string{
		"MESSAGE_", "KIND_", "HELLO_", "RESUME_", "WELCOME_", "REFUSED_", "STEP_", "NAME_", "PAGES_",
		"MOST_", "Refusal", "ROLE_HOST", "ROLE_OBSERVER", "ROLE_EVENTS", "ALL_EVENT_RINGS",
	} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func TestEveryNumberIsTheGoldenOne(t *testing.T) {
	file, err := os.Open("../../../testdata/layout.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	seen := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, text, found := strings.Cut(lines.Text(), " = ")
		if !found || isWire(name) {
			continue
		}
		want, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, known := golden[name]
		if !known {
			t.Errorf("%s stands in layout.txt and not here", name)
			continue
		}
		seen++
		if got != want {
			t.Errorf("%s is %d here and %d in layout.txt", name, got, want)
		}
	}
	if seen != len(golden) {
		t.Errorf("%d names of %d stand in layout.txt", seen, len(golden))
	}
}
