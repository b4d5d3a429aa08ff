#include "lifecycle/gpu_models.h"

#include <algorithm>
#include <fstream>
#include <system_error>

namespace modelmill {

std::vector<std::string> gpu_models(const std::filesystem::path& driver) {
  constexpr char kSpace[] = " \t";
  std::vector<std::string> models;
  std::error_code error;
  for (std::filesystem::directory_iterator it(driver, error), end; !error && it != end; it.increment(error)) {
    std::ifstream file(it->path() / "information");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("Model:")) continue;
      const size_t begin = line.find_first_not_of(kSpace, sizeof "Model:" - 1);
      if (begin != std::string::npos) models.push_back(line.substr(begin, line.find_last_not_of(kSpace) + 1 - begin));
      break;
    }
  }
  std::sort(models.begin(), models.end());
  return models;
}

std::string gpu_size(const DeviceMemory::Told& told) {
  constexpr uint64_t kGibibyte = uint64_t{1} << 30;
  return told ? std::to_string((told->total_bytes + kGibibyte / 2) / kGibibyte) + " GiB" : "";
}

}  // namespace modelmill
