#pragma once

#include <cstdint>
#include <type_traits>

namespace modelmill {

/// One step of what an experiment knows, as its journal has it. What the fields say depends on the kind.
struct ExperimentEvent {
  enum class Kind : uint8_t {
    kExposed,  // `user` got `arm`, at that time
    kLink,     // `other` is a request of `user`
    kOutcome,  // `user` did `value` of `metric`; `other`: the outcome's id, or 0
    kCount,    // the ExperimentCount `metric` is `value` now
    // Of snapshots, in the place of all that led to it:
    kSeen,       // the id `other` of an outcome of `user` has been
    kCounted,    // the window of `user` is over
    kTotals,     // of `arm` and `metric`: `user` users with mean `value`; `other` has the bits of the squares
    kArmTotals,  // of `arm` and `metric`: `user` exposed; `value` so far
    // Of what processes leave for the one that decides, see ExperimentSpool:
    kGiven,   // a request `other` of `user` got `arm`; either may be 0
    kTold,    // it came in that `user` (of `arm` 1: that request) did `value` of `metric`; `other`: its id, or 0
    kToldAt,  // the next kTold happened at that time
    // And of that one's journal:
    kTaken,    // the part `user` was taken up to the byte `other`
    kSettled,  // whose window was over at that time was counted
  };

  Kind kind = Kind::kExposed;
  uint8_t arm = 0;
  uint8_t metric = 0;
  uint8_t reserved[5] = {};
  int64_t at_ms = 0;  // since 1970
  uint64_t user = 0;
  uint64_t other = 0;
  double value = 0;
};
static_assert(sizeof(ExperimentEvent) == 40 && std::is_trivially_copyable_v<ExperimentEvent>);

/// What is counted beside what the arms did.
enum class ExperimentCount : uint8_t {
  kAccepted,   // outcomes that counted
  kDuplicate,  // with an id that their user's outcomes had before
  kUnknown,    // of nobody who is known to have been given an arm
  kLate,       // outside of their user's window
  kKeyless,    // requests without the sticky key, or without an id
  kFull,       // requests of users for whom there was no room
};
inline constexpr int kExperimentCounts = 6;

}  // namespace modelmill
