#pragma once

#include <string>

namespace modelmill::pytorch {

/// What a file of PyTorch's turns out to be.
struct TorchFile {
  enum class Kind { kScript, kPackage };
  Kind kind = Kind::kScript;
  std::string model;    // of a package: the one in it that is served
  std::string wrapper;  // of a package: the source of its code, if it is there
};

/// Looks into a file, without torch. Throws Error that says what it is, and the remedy, when it can't be served: what
/// torch.save wrote, an exported program that is not compiled, a file that is cut.
TorchFile look_at_file(const std::string& file);

}  // namespace modelmill::pytorch
