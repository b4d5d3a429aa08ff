#include "lifecycle/machine_gpus.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/log.h"

namespace modelmill {
namespace {

constexpr int kMostGpus = 1024;

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

/// The driver has a file for each, such as nvidia0.
int count_devices(const std::string& folder) {
  constexpr std::string_view kPrefix = "nvidia";
  int count = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(kPrefix) && whole_number(std::string_view(name).substr(kPrefix.size())).value_or(-1) >= 0)
      ++count;
  }
  return count;
}

/// Numbers, or names such as GPU-8932f937; what is none of a device ends the list, as CUDA reads it.
int count_visible(std::string_view list, int devices) {
  int count = 0;
  while (true) {
    const size_t comma = list.find(',');
    const std::string_view entry = trimmed(list.substr(0, comma));
    const bool named = entry.starts_with("GPU-") || entry.starts_with("MIG-");
    const int number = whole_number(entry).value_or(-1);
    if (!named && (number < 0 || number >= devices)) return count;
    ++count;
    if (comma == std::string_view::npos) return count;
    list.remove_prefix(comma + 1);
  }
}

int count_gpus(const GpuSigns& signs) {
  if (!signs.told.empty()) {
    const auto told = whole_number(signs.told);
    if (told && *told >= 0 && *told <= kMostGpus) return *told;
    Log::warning("MODELMILL_GPUS is not a number of GPUs, so they are counted", {{"value", signs.told}});
  }
  const int devices = count_devices(signs.devices);
  return signs.visible_is_set && devices > 0 ? count_visible(signs.visible, devices) : devices;
}

}  // namespace

GpuSigns gpu_signs() {
  GpuSigns out;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES"); visible != nullptr) {
    out.visible = visible;
    out.visible_is_set = true;
  }
  if (const char* told = std::getenv("MODELMILL_GPUS"); told != nullptr) out.told = told;
  return out;
}

std::vector<int> machine_gpus(const GpuSigns& signs) {
  std::vector<int> out(static_cast<size_t>(count_gpus(signs)));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace modelmill
