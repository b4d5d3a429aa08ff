#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace modelmill {

using UtcTime = std::chrono::system_clock::time_point;

/// strftime's text of a moment in UTC, in the C locale: the clouds' dates are English.
std::string utc_text(UtcTime time, const char* format);
/// "2026-01-31T12:00:00Z", with or without a fraction of seconds.
std::optional<UtcTime> utc_of_iso(const std::string& text);

}  // namespace modelmill
