#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace modelmill {

/// A request's place in its caller's trace, as W3C's header traceparent has it. All zeros: it is in none.
struct TraceContext {
  std::array<uint8_t, 16> trace_id{};
  std::array<uint8_t, 8> parent_id{};
  uint8_t flags = 0;  // bit 0: the caller records the trace

  bool present() const { return trace_id != std::array<uint8_t, 16>{}; }
};

/// The value of traceparent, by the rules of version 00; of a later version what 00 knows of it. nullopt when
/// malformed: then W3C wants it to be ignored.
std::optional<TraceContext> parse_traceparent(std::string_view text);

/// A traceparent of version 00.
std::string traceparent_text(const TraceContext& context);

/// The trace id as it stands in a traceparent that could be parsed.
inline std::string_view trace_id_in(std::string_view traceparent) { return traceparent.substr(3, 32); }

}  // namespace modelmill
