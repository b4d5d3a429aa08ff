#include "serve/trace/span_sampling.h"

namespace modelmill {

/// By the last seven bytes, which W3C wants to be random: those at and above a threshold belong to it, none where that
/// is beyond them.
bool SpanSampling::in_share(const TraceId& trace) const {
  constexpr double kAll = static_cast<double>(uint64_t{1} << 56);
  uint64_t random = 0;
  for (size_t i = trace.size() - 7; i < trace.size(); ++i) random = random << 8 | trace[i];
  return random >= static_cast<uint64_t>((1 - share) * kAll);
}

}  // namespace modelmill
