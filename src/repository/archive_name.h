#pragma once

#include <string>

namespace modelmill {

/// A file of this name is an archive of models: .mar (TorchServe's), .zip, .tar, .tar.gz, .tgz.
bool is_archive_name(const std::string& filename);

/// TorchServe's own archives, each of which is a model.
bool is_model_archive_name(const std::string& filename);

/// "ocr" of "ocr.tar.gz".
std::string archive_stem(const std::string& filename);

}  // namespace modelmill
