#include "runtime/trace_context.h"

#include <algorithm>
#include <span>

#include "base/hex_text.h"

namespace modelmill {
namespace {

/// version "-" trace-id "-" parent-id "-" flags
constexpr size_t kLength = 55;
constexpr size_t kTraceId = 3;
constexpr size_t kParentId = 36;
constexpr size_t kFlags = 53;

/// Capital letters are not allowed.
int small_hex_digit(char c) { return c >= 'A' && c <= 'F' ? -1 : hex_digit(c); }

bool read_hex(std::string_view text, std::span<uint8_t> into) {
  for (size_t i = 0; i < into.size(); ++i) {
    const int high = small_hex_digit(text[2 * i]), low = small_hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

bool all_zero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kLength) return std::nullopt;
  for (const size_t dash : {kTraceId - 1, kParentId - 1, kFlags - 1})
    if (text[dash] != '-') return std::nullopt;
  uint8_t version = 0;
  TraceContext context;
  if (!read_hex(text, {&version, 1}) || version == 0xff) return std::nullopt;
  if (text.size() > kLength && (version == 0 || text[kLength] != '-')) return std::nullopt;
  if (!read_hex(text.substr(kTraceId), context.trace_id) || all_zero(context.trace_id)) return std::nullopt;
  if (!read_hex(text.substr(kParentId), context.parent_id) || all_zero(context.parent_id)) return std::nullopt;
  if (!read_hex(text.substr(kFlags), {&context.flags, 1})) return std::nullopt;
  return context;
}

std::string traceparent_text(const TraceContext& context) {
  return "00-" + hex_text(context.trace_id) + '-' + hex_text(context.parent_id) + '-' + hex_text({&context.flags, 1});
}

}  // namespace modelmill
