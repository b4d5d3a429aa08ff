#pragma once

#include <string>

#include "repository/found_model.h"

namespace modelmill {

/// A file of this name is an archive of models: .mar (TorchServe's), .zip, .tar, .tar.gz, .tgz.
bool is_archive_name(const std::string& filename);

/// TorchServe's own archives, each of which is a model.
bool is_model_archive_name(const std::string& filename);

/// "ocr" of "ocr.tar.gz".
std::string archive_stem(const std::string& filename);

/// Problems of a model in `archive`, unpacked to `folder`, are told of where people look for them.
void name_in_archive(FoundModel& model, const std::string& folder, const std::string& archive);

}  // namespace modelmill
