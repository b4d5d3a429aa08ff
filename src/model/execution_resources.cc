#include "model/execution_resources.h"

#include <charconv>
#include <string_view>

namespace modelmill {
namespace {

template <typename Number>
bool read(std::string_view text, Number& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && into >= 0;
}

}  // namespace

Result<DeclaredResource> read_declared_resource(const std::string& text) {
  const std::string_view all = text;
  const size_t first = all.find(':');
  const size_t second = first == std::string::npos ? first : all.find(':', first + 1);
  DeclaredResource out;
  int device = 0;
  const bool good = first != std::string::npos && first > 0 &&
                    read(all.substr(first + 1, second == std::string::npos ? second : second - first - 1), out.count) &&
                    (second == std::string::npos || read(all.substr(second + 1), device));
  if (!good)
    return invalid_argument("'" + text + "' is no resource: NAME:COUNT, or NAME:COUNT:DEVICE with a device's number");
  out.name = all.substr(0, first);
  if (second != std::string::npos) out.device = device;
  return out;
}

}  // namespace modelmill
