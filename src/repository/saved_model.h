#pragma once

namespace modelmill {

/// The file by which the folder of a SavedModel is known; the model is the folder.
inline constexpr const char* kSavedModelFile = "saved_model.pb";

}  // namespace modelmill
