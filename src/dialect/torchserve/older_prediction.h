#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill::torchserve {

/// MODEL/predict and MODEL/VERSION/predict, as TorchServe was asked before it had /predictions. `path`: its segments,
/// without the prefix.
inline bool is_older_prediction(const std::vector<std::string>& path) {
  static constexpr std::array<std::string_view, 9> kOthers{
      "ping", "predictions", "explanations", "api-description", "token", "models", "workflows", "wfpredict", "metrics"};
  return (path.size() == 2 || path.size() == 3) && path.back() == "predict" &&
         std::find(kOthers.begin(), kOthers.end(), path.front()) == kOthers.end();
}

}  // namespace modelmill::torchserve
