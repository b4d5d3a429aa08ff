// A file of PyTorch's, as the plugin looks into it before torch does: what it is told as, or an error that says why
// not.
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "base/check.h"
#include "modelmill/backend.hpp"
#include "pytorch/pytree.h"
#include "pytorch/torch_file.h"
#include "pytorch/wrapper_source.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

void check_inputs(std::string_view source) {
  const auto inputs = pytorch::read_wrapper(source);
  if (!inputs) return;
  MM_CHECK(!inputs->empty(), "code without inputs is not told");
  for (const pytorch::PackageInput& input : *inputs)
    MM_CHECK(input.dtype != MM_DTYPE_INVALID && input.sizes.size() <= backend::kMaxRank, "an input has type and rank");
}

}  // namespace

void torch_file(std::string_view bytes) {
  check_inputs(bytes);
  (void)pytorch::pytree_names(bytes);
  const int file = ::memfd_create("torch_file", 0);
  MM_CHECK(file >= 0 && ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()), "a file");
  try {
    const pytorch::TorchFile found = pytorch::look_at_file("/proc/self/fd/" + std::to_string(file));
    const bool package = found.kind == pytorch::TorchFile::Kind::kPackage;
    MM_CHECK(package != found.model.empty() && found.wrapper.size() <= bytes.size(), "a package names its model");
    check_inputs(found.wrapper);
  } catch (const backend::Error& e) {
    MM_CHECK(e.what()[0] != '\0', "an error says why");
  }
  ::close(file);
}

}  // namespace modelmill::fuzz
