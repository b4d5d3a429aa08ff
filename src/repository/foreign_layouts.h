#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "repository/folder_listing.h"
#include "repository/found_model.h"
#include "repository/model_format.h"

namespace modelmill {

// Folders of other tools, each a model by itself. nullopt: the folder is none of theirs. A model that needs a backend
// which is not installed, or whose files can't be read, is found with its problem.

/// MLflow's: an MLmodel beside the files of its flavours. The onnx flavour is preferred.
std::optional<FoundModel> look_for_mlflow(const FolderListing& folder, std::span<const ModelFormat> formats);

/// MLServer's: a model-settings.json that names the model's file.
std::optional<FoundModel> look_for_mlserver(const FolderListing& folder, std::span<const ModelFormat> formats);

/// TorchServe's: an unpacked .mar, with its MAR-INF/MANIFEST.json.
std::optional<FoundModel> look_for_torchserve(const FolderListing& folder, std::span<const ModelFormat> formats);

/// Puts TorchServe's versions of one name together, each of which has a folder of its own; false when they can't be one
/// model.
bool merge_torchserve(FoundModel& into, const FoundModel& model);

/// Hugging Face's: a config.json of transformers or a modules.json of sentence-transformers beside weights for PyTorch,
/// which the Python backend serves. Not where there is an ONNX file, which is a model by itself.
std::optional<FoundModel> look_for_hugging_face(const FolderListing& folder, std::span<const ModelFormat> formats);

/// TensorFlow's: a SavedModel by itself, without a version's folder.
std::optional<FoundModel> look_for_saved_model(const FolderListing& folder, std::span<const ModelFormat> formats);

/// The backend that is named for Python code which is written for another server, and which it does not serve.
inline constexpr std::string_view kForeignCode = "python";

/// "model 'x' (MLflow flavour sklearn) needs backend 'python', which is not installed; ...". With `formats` of one that
/// is: what it serves.
ConfigProblem missing_backend(const std::string& model, const std::string& what, const std::string& backend,
                              const std::string& place, std::span<const ModelFormat> formats = {});

}  // namespace modelmill
