#include "base/utc_time.h"

#include <ctime>
#include <iomanip>
#include <locale>
#include <sstream>

namespace modelmill {

std::string utc_text(UtcTime time, const char* format) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::put_time(&parts, format);
  return out.str();
}

std::optional<UtcTime> utc_of_iso(const std::string& text) {
  std::tm parts{};
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  in >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%S");
  if (in.fail()) return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace modelmill
