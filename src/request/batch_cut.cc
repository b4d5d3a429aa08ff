#include "request/batch_cut.h"

namespace modelmill {

const char* cut_reason_name(CutReason reason) {
  switch (reason) {
    case CutReason::kFull: return "full";
    case CutReason::kIdleInstance: return "idle instance";
    case CutReason::kDelayOver: return "delay over";
    case CutReason::kDeadline: return "deadline";
    case CutReason::kNoGain: return "no gain";
    case CutReason::kObjective: return "objective";
  }
  return "";
}

}  // namespace modelmill
