#pragma once

#include <string>
#include <string_view>

#include "catalog/model_version.h"

namespace modelmill::predict {

/// A shell command line that asks the model through /predict and works when pasted: plausible data of the right types
/// and shapes, written out where that is short, else made by a line of Python 3. `url` is "http://host:port".
std::string sample_curl(std::string_view url, const ModelVersion& version);

/// The same from its parts. `model_path` is what follows /predict/, e.g. "ocr" or "ocr/versions/2".
std::string sample_curl(std::string_view url, std::string_view model_path, const Signature& signature);

}  // namespace modelmill::predict
