#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace modelmill::pytorch {

/// The names of the tensors in a structure that torch's pytrees describe as JSON, in order: keys of dictionaries, parts
/// of a path with dots between them ("boxes.left", "points.0"), or "" for what only has a place. What a package's
/// function takes is a tuple of its positional arguments and a dictionary of the named ones. Empty when the text can't
/// be read.
std::vector<std::string> pytree_names(std::string_view spec);

}  // namespace modelmill::pytorch
