#include "model_source.h"

#include <filesystem>
#include <fstream>

namespace modelmill::ov {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSavedModelFile = "saved_model.pb";

uint64_t size_or_zero(const fs::path& file) {
  std::error_code error;
  if (!fs::is_directory(file, error)) {
    const auto size = fs::file_size(file, error);
    return error ? 0 : size;
  }
  uint64_t sum = 0;
  for (auto it = fs::recursive_directory_iterator(file, error); !error && it != fs::recursive_directory_iterator();
       it.increment(error))
    if (it->is_regular_file(error)) sum += it->file_size(error);
  return sum;
}

}  // namespace

ModelSource::ModelSource(const std::string& file) : path_(file) {
  const fs::path given(file);
  std::error_code ignored;
  if (given.filename() == kSavedModelFile) path_ = given.parent_path().string();
  saved_model_ = fs::exists(fs::path(path_) / kSavedModelFile, ignored);
}

uint64_t ModelSource::bytes() const {
  uint64_t sum = size_or_zero(path_);
  const fs::path file(path_);
  if (file.extension() == ".xml") sum += size_or_zero(fs::path(file).replace_extension(".bin"));
  for (const char* ending : {".data", "_data"}) sum += size_or_zero(path_ + ending);
  return sum;
}

bool ModelSource::keeps_state() const {
  if (fs::path(path_).extension() != ".xml") return false;
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);)
    if (line.find("type=\"ReadValue\"") != std::string::npos) return true;
  return false;
}

}  // namespace modelmill::ov
