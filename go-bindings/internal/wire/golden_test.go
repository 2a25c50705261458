package wire

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// ours are the numbers of this package under the names of testdata/layout.txt.
var ours = map[string]uint64{
	"LAYOUT_VERSION": Version, "MESSAGE_MAGIC": uint64(Magic), "MESSAGE_MAGIC_OFFSET": magicOffset,
	"MESSAGE_KIND": kindOffset, "MESSAGE_VERSION": versionOffset, "MESSAGE_LENGTH": lengthOffset,
	"MESSAGE_HEADER_BYTES": headerBytes,
	"KIND_HELLO":           uint64(KindHello), "KIND_RESUME": uint64(KindResume),
	"KIND_WELCOME": uint64(KindWelcome),
	"KIND_MAPPED":  uint64(KindMapped), "KIND_READY": uint64(KindReady), "KIND_REFUSED": uint64(KindRefused),
	"KIND_DRAINING": uint64(KindDraining), "KIND_DETACH": uint64(KindDetach),
	"HELLO_BYTES": helloBytes, "HELLO_LOWEST": helloLowest, "HELLO_HIGHEST": helloHighest,
	"HELLO_MUST_UNDERSTAND": helloMustUnderstand, "HELLO_MAY_UNDERSTAND": helloMayUnderstand,
	"HELLO_ROLE": helloRole, "HELLO_LANES": helloLanes, "HELLO_REQUEST_CAPACITY": helloRequestCapacity,
	"HELLO_REPLY_CAPACITY": helloReplyCapacity, "HELLO_PAGES": helloPages,
	"HELLO_MEMBARRIER": helloMembarrier, "HELLO_EVENT_RINGS": helloEventRings,
	"HELLO_SERVICE_VERSION": helloServiceVersion, "HELLO_SERVICE": helloService,
	"HELLO_HOST_NAME": helloHostName, "NAME_BYTES": NameBytes,
	"RESUME_HOST_ID": resumeHostID, "RESUME_EPOCH": resumeEpoch, "RESUME_LANES": resumeLanes,
	"RESUME_LANE_BYTES": resumeLaneBytes, "RESUME_LAST_REPLY": resumeLastReply,
	"RESUME_POSITION": resumePosition, "RESUME_DEATHS": resumeDeaths,
	"WELCOME_BYTES": welcomeBytes, "WELCOME_HOST_ID": welcomeHostID, "WELCOME_EPOCH": welcomeEpoch,
	"WELCOME_FEATURES": welcomeFeatures, "WELCOME_LANE_COUNT": welcomeLaneCount,
	"WELCOME_SHARDS": welcomeShards, "WELCOME_REQUEST_CAPACITY": welcomeRequestCapacity,
	"WELCOME_REPLY_CAPACITY": welcomeReplyCapacity, "WELCOME_REQUEST_BYTES": welcomeRequestBytes,
	"WELCOME_REPLY_BYTES": welcomeReplyBytes, "WELCOME_REQUEST_PAGES": welcomeRequestPages,
	"WELCOME_REPLY_PAGES": welcomeReplyPages, "WELCOME_MEMBARRIER": welcomeMembarrier,
	"WELCOME_EVENT_CAPACITY": welcomeEventCapacity, "WELCOME_LIFE": welcomeLife,
	"WELCOME_RING_BYTES": welcomeRingBytes, "WELCOME_RING_REGION": welcomeRingRegion,
	"WELCOME_RING_PAGES": welcomeRingPages, "WELCOME_RING_SHARD": welcomeRingShard,
	"WELCOME_EVENT_RINGS": welcomeEventRings, "WELCOME_DESCRIPTORS": welcomeDescriptors,
	"WELCOME_SERVICE_VERSION": welcomeServiceVersion, "WELCOME_SERVICE": welcomeService,
	"WELCOME_LANES": welcomeLanes, "STEP_BYTES": stepBytes,
	"REFUSED_BYTES": refusedBytes, "REFUSED_CODE": refusedCode, "REFUSED_TEXT_BYTES": refusedTextBytes,
	"REFUSED_LIMIT": refusedLimit, "REFUSED_TEXT": refusedText, "REFUSED_MOST_TEXT": refusedMostText,
	"ROLE_HOST": uint64(RoleHost), "ROLE_OBSERVER": uint64(RoleObserver), "ROLE_EVENTS": uint64(RoleEvents),
	"PAGES_AUTO": uint64(PagesAuto), "PAGES_REQUIRE_HUGE": uint64(PagesRequireHuge),
	"PAGES_SMALL": uint64(PagesSmall), "MOST_BYTES": MaxBytes, "MAX_LANES": MaxLanes,
	"RefusalMalformed": uint64(Malformed), "RefusalVersion": uint64(NoVersion),
	"RefusalFeature": uint64(Feature), "RefusalRole": uint64(Role), "RefusalService": uint64(Service),
	"RefusalUid": uint64(UID), "RefusalHosts": uint64(Hosts), "RefusalHostsPerUid": uint64(HostsPerUID),
	"RefusalMemoryPerUid": uint64(MemoryPerUID), "RefusalLanes": uint64(Lanes),
	"RefusalCapacity": uint64(Capacity), "RefusalPages": uint64(Pages),
	"RefusalEventRings": uint64(EventRings), "RefusalSilence": uint64(Silence),
	"RefusalDraining": uint64(Draining), "RefusalResources": uint64(Resources),
	"RefusalRegion": uint64(Region), "RefusalResumeDeclined": uint64(ResumeDeclined),
	"RefusalResumeServed": uint64(ResumeServed), "RefusalResumeRegion": uint64(ResumeRegion),
	"RefusalResumeRecord": uint64(ResumeRecord), "RefusalInternal": uint64(Internal),
	"RefusalGone": uint64(Gone), "RefusalLaneClosed": uint64(LaneClosed),
}

// conversation says whether a name of layout.txt belongs to the conversation and so to this package.
func conversation(name string) bool {
	for _, prefix := range []string{"MESSAGE_", "KIND_", "HELLO_", "RESUME_", "WELCOME_",
		"REFUSED_", "Refusal", "PAGES_", "STEP_", "NAME_", "MOST_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func TestEveryNumberIsThatOfTheGoldenLayout(t *testing.T) {
	file, err := os.Open("../../../testdata/layout.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " = ")
		value, ok := ours[name]
		if !ok {
			if conversation(name) {
				t.Errorf("layout.txt names %s and this package does not have it", name)
			}
			continue
		}
		seen[name] = true
		if golden, err := strconv.ParseUint(text, 10, 64); err != nil || golden != value {
			t.Errorf("%s is %d here and %s in layout.txt", name, value, text)
		}
	}
	for name := range ours {
		if !seen[name] {
			t.Errorf("layout.txt does not name %s", name)
		}
	}
}
