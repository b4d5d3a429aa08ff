#include "otlp/span.h"

#include <cstring>
#include <random>

#include "base/utf8.h"

namespace modelmill {
namespace {

uint64_t random_bits() {
  thread_local std::mt19937_64 bits = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return bits();
}

uint64_t random_not_zero() {
  while (true)
    if (const uint64_t bits = random_bits(); bits != 0) return bits;
}

}  // namespace

std::string short_text(std::string_view text) {
  return text.size() <= kMostAttributeBytes ? std::string(text) : as_utf8(text, kMostAttributeBytes);
}

void Span::set_status(const Status& of) {
  status = of.message().size() <= kMostAttributeBytes ? of : Status(of.code(), short_text(of.message()));
}

TraceId make_trace_id() {
  TraceId id;
  const uint64_t halves[] = {random_bits(), random_not_zero()};
  static_assert(sizeof halves == sizeof id);
  std::memcpy(id.data(), halves, sizeof halves);
  return id;
}

SpanId make_span_id() {
  SpanId id;
  const uint64_t bits = random_not_zero();
  std::memcpy(id.data(), &bits, sizeof bits);
  return id;
}

}  // namespace modelmill
