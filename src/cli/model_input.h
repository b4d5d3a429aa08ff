#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/signature.h"

namespace modelmill {

enum class InputKind { kJson, kCsv, kNpy, kPng, kText };

/// By the file's ending, or for standard input ("-") and unknown endings by how its bytes begin.
InputKind input_kind(std::string_view path, std::string_view bytes);

/// The bytes of a file, or of standard input for "-". NOT_FOUND or INVALID_ARGUMENT name the file and the reason.
Result<std::string> read_input(const std::string& path);

/// The body of a POST to /predict/MODEL.
struct PredictBody {
  std::string content_type;
  std::string bytes;
  std::string note;  // for people: what was made of the input; empty when it goes as it is
};

/// Whether predict_body() needs to know the model's inputs.
bool needs_signature(InputKind kind);

/// `bytes` as what the model can be asked with: JSON, CSV and .npy as they are, images as the input's tensor, text as
/// one string. `signature` is looked at only when needs_signature().
Result<PredictBody> predict_body(InputKind kind, std::string bytes, const Signature& signature);

}  // namespace modelmill
