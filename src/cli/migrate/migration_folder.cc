#include "cli/migrate/migration_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "model/yaml_config.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

/// A folder that goes when this does, with all that is in it; of links the targets stay.
class Scaffold {
 public:
  explicit Scaffold(fs::path path) : path_(std::move(path)) {}
  ~Scaffold() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scaffold(const Scaffold&) = delete;
  Scaffold& operator=(const Scaffold&) = delete;
  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

Status unwritable(const fs::path& path, const std::string& why) {
  return Status(Code::kUnavailable, "can't write '" + path.string() + "': " + why +
                                        "; there must be room, and this user able to write there");
}

Status write_text(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.close();
  return out ? ok_status() : unwritable(path, std::strerror(errno));
}

Status put_file(const MovedFile& file, const fs::path& folder, bool copy) {
  const fs::path target = folder / file.to;
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  if (error) return unwritable(target, error.message());
  if (copy)
    fs::copy(file.from, target, fs::copy_options::recursive, error);
  else if (fs::is_directory(file.from, error))
    fs::create_directory_symlink(file.from, target, error);
  else
    fs::create_symlink(file.from, target, error);
  return error ? unwritable(target, error.message()) : ok_status();
}

Status write_model(const MovedModel& model, const fs::path& folder, bool copy) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return unwritable(folder, error.message());
  for (const MovedFile& file : model.files) MM_RETURN_IF_ERROR(put_file(file, folder, copy));
  if (!model.leftover.empty()) MM_RETURN_IF_ERROR(write_text(folder / "config.pbtxt", model.leftover));
  return write_text(folder / kYamlConfigFile, model.yaml);
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  const fs::path inner = fs::weakly_canonical(path, error), outer = fs::weakly_canonical(folder, error);
  const auto rest = inner.lexically_relative(outer);
  return !rest.empty() && *rest.begin() != "..";
}

/// That the model's new folder takes nobody's place, and not that of its own files.
Status check_place(const MovedModel& model, const fs::path& folder, bool force) {
  for (const MovedFile& file : model.files)
    if (is_inside(file.from, folder) || is_inside(folder, file.from))
      return invalid_argument("model '" + model.found.name + "' would be written to '" + folder.string() +
                              "', where its own files are; name another folder with --to");
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(folder, ignored)) || force) return ok_status();
  return Status(Code::kAlreadyExists,
                "'" + folder.string() + "' is there already; --force replaces it, or name another folder with --to");
}

/// Puts what is at `from` in the place of what may be at `to`, which goes to `aside`.
Status replace(const fs::path& from, const fs::path& to, const fs::path& aside) {
  std::error_code error;
  const bool there = fs::exists(fs::symlink_status(to, error));
  error.clear();
  if (there) fs::rename(to, aside, error);
  if (error) return unwritable(to, error.message());
  fs::rename(from, to, error);
  if (!error) return ok_status();
  Status status = unwritable(to, error.message());
  if (there) fs::rename(aside, to, error);
  return status;
}

}  // namespace

Status write_migration(const std::vector<MovedModel>& models, const std::string& to, const FolderOptions& options,
                       const std::function<Status(const std::string& folder)>& check) {
  const fs::path folder(to);
  for (const MovedModel& model : models)
    MM_RETURN_IF_ERROR(check_place(model, folder / model.found.name, options.force));
  std::error_code error;
  const bool made = fs::create_directories(folder, error);
  if (error) return unwritable(folder, error.message());
  Status status = ok_status();
  {
    const Scaffold fresh(folder / (".migrating-" + std::to_string(getpid())));
    const Scaffold old(folder / (".replaced-" + std::to_string(getpid())));
    const auto write_all = [&]() -> Status {
      for (const MovedModel& model : models)
        MM_RETURN_IF_ERROR(write_model(model, fresh.path() / model.found.name, options.copy));
      MM_RETURN_IF_ERROR(check(fresh.path().string()));
      fs::create_directories(old.path(), error);
      if (error) return unwritable(old.path(), error.message());
      for (const MovedModel& model : models)
        MM_RETURN_IF_ERROR(
            replace(fresh.path() / model.found.name, folder / model.found.name, old.path() / model.found.name));
      return ok_status();
    };
    status = write_all();
  }
  if (!status.ok() && made) fs::remove(folder, error);  // empty as it was made
  return status;
}

}  // namespace modelmill
