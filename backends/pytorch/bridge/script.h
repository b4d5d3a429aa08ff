#pragma once

#include <string>

#include "pytorch/bridge.h"

namespace modelmill::pytorch {

std::unique_ptr<BridgeModel> load_script(const std::string& file);
std::unique_ptr<BridgeModel> load_package(const std::string& file, const std::string& model, int runners);

}  // namespace modelmill::pytorch
