#include "storage/disk_error.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace modelmill {

Status disk_error(const std::string& path, const char* done, int error, uint64_t needed) {
  const std::string what = "file '" + path + "' can't be " + done + ": " + std::strerror(error);
  if (error != ENOSPC && error != EDQUOT && error != EFBIG) return unavailable(what);
  struct statvfs disk {};
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const bool known = ::statvfs(folder.c_str(), &disk) == 0;
  return resource_exhausted(
      what + (needed > 0 ? ": " + std::to_string(needed) + " bytes are needed" : "") +
      (known ? ", " + std::to_string(uint64_t{disk.f_bavail} * disk.f_frsize) + " are free" : "") +
      "; make room there, or put the model cache on a larger disk");
}

}  // namespace modelmill
