#include "dialect/kserve_v1/event_settings.h"

#include <cstdlib>
#include <utility>

#include "wire/http_text.h"

namespace modelmill::kserve_v1 {
namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no thread changes the environment
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

const EventSettings& EventSettings::of_environment() {
  static const EventSettings settings = [] {
    EventSettings out;
    if (std::string type = variable("CE_TYPE"); !type.empty()) out.type = std::move(type);
    out.source = variable("CE_SOURCE");
    out.merge = wire::equals_ignoring_case(variable("CE_MERGE"), "true");
    return out;
  }();
  return settings;
}

}  // namespace modelmill::kserve_v1
