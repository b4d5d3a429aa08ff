#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace modelmill {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

/// Bit of W3C's flags: the trace is recorded.
inline constexpr uint8_t kTraceSampled = 1;

/// Whether this server records spans of a request. Decided once, for the client's request and all that is made of it.
enum class SpanRecording : uint8_t {
  kUndecided,
  kNo,
  kRequest,  // the parent is this server's span of the client's request
  kModel,    // the parent is this server's span of a model
};

/// A request's place in a trace, as W3C's header traceparent has it: its caller's, or where spans of it are recorded
/// that of the span which it belongs to. All zeros: it is in none.
struct TraceContext {
  TraceId trace_id{};
  SpanId parent_id{};
  uint8_t flags = 0;
  SpanRecording recording = SpanRecording::kUndecided;

  bool present() const { return trace_id != TraceId{}; }
  bool sampled() const { return (flags & kTraceSampled) != 0; }
  bool recorded() const { return recording >= SpanRecording::kRequest; }
};

/// The value of traceparent, by the rules of version 00; of a later version what 00 knows of it. nullopt when
/// malformed: then W3C wants it to be ignored.
std::optional<TraceContext> parse_traceparent(std::string_view text);

/// A traceparent of version 00.
std::string traceparent_text(const TraceContext& context);

/// The trace id as it stands in a traceparent that could be parsed.
inline std::string_view trace_id_in(std::string_view traceparent) { return traceparent.substr(3, 32); }

}  // namespace modelmill
