#include "lifecycle/load_settings.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <thread>

#include "lifecycle/gpu_models.h"

namespace modelmill {

LoadSettings settings_of_this_machine() {
  LoadSettings settings;
  settings.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  std::error_code error;
  for (std::filesystem::directory_iterator it("/dev", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    constexpr std::string_view kPrefix = "nvidia";
    if (!name.starts_with(kPrefix) || name.size() == kPrefix.size() || name.size() > kPrefix.size() + 4) continue;
    if (std::all_of(name.begin() + kPrefix.size(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; }))
      settings.gpus.push_back(std::stoi(name.substr(kPrefix.size())));
  }
  std::sort(settings.gpus.begin(), settings.gpus.end());
  settings.gpu_models = gpu_models();
  return settings;
}

}  // namespace modelmill
