#pragma once

#include "runtime/trace_context.h"

namespace modelmill {

/// Which requests spans are recorded of, beside what the trace settings say. A value.
struct SpanSampling {
  /// What a caller counts who tells of its trace.
  enum class Caller {
    kTraced,    // each of its requests is recorded, whatever the settings say of rate and count, as by Triton
    kFollowed,  // its flag decides
    kIgnored,   // nothing: its requests are as all others
  };
  Caller caller = Caller::kTraced;
  /// The share of traces, from 0 to 1, that is recorded where no caller decides.
  double share = 1;

  /// Whether a trace belongs to the share. Everybody who asks of one trace by one share is told the same.
  bool in_share(const TraceId& trace) const;
};

}  // namespace modelmill
