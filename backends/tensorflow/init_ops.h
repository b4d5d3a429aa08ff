#pragma once

#include <string>
#include <vector>

namespace modelmill::tensorflow {

/// The operations that a file of Triton's parameter TF_INIT_OPS_FILE lists, {"init_ops": ["init"]}, to be run once at
/// loading. `name` is looked for in the version's folder, then in the model's, which is around it. Throws Error.
std::vector<std::string> read_init_ops(const std::string& version_folder, const std::string& name);

}  // namespace modelmill::tensorflow
