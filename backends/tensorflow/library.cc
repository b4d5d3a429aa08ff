#include "library.h"

#include <dlfcn.h>

#include "support/library_search.h"

namespace modelmill::tensorflow {
namespace {

const backend::LibrarySearch kSearch{"MODELMILL_TENSORFLOW",
                                     {"tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow.so.2"},
                                     "libtensorflow*.so.2",
                                     {"libtensorflow.so.2", "libtensorflow_cc.so.2"}};

/// Looks names up in one library and the libraries that it needs.
class Symbols {
 public:
  explicit Symbols(void* library) : library_(library) {}

  template <typename F>
  void get(F& to, const char* name) {
    to = reinterpret_cast<F>(dlsym(library_, name));
    if (to == nullptr && missing_.empty()) missing_ = name;
  }
  const std::string& missing() const { return missing_; }

 private:
  void* const library_;
  std::string missing_;
};

/// The name of a function that the library lacks, or empty.
std::string read_functions(void* library, Api& out) {
  Symbols symbols(library);
#define MM_GET(name) symbols.get(out.name, "TF_" #name)
  MM_GET(Version);
  MM_GET(NewStatus), MM_GET(DeleteStatus), MM_GET(GetCode), MM_GET(Message);
  MM_GET(NewBuffer), MM_GET(NewBufferFromString), MM_GET(DeleteBuffer), MM_GET(GetAllOpList);
  MM_GET(NewSessionOptions), MM_GET(SetConfig), MM_GET(DeleteSessionOptions);
  MM_GET(NewGraph), MM_GET(DeleteGraph), MM_GET(GraphOperationByName), MM_GET(OperationNumOutputs);
  MM_GET(LoadSessionFromSavedModel), MM_GET(CloseSession), MM_GET(DeleteSession), MM_GET(SessionRun);
  MM_GET(NewTensor), MM_GET(AllocateTensor), MM_GET(DeleteTensor), MM_GET(TensorType), MM_GET(NumDims), MM_GET(Dim);
  MM_GET(TensorByteSize), MM_GET(TensorData), MM_GET(TensorFromProto);
  MM_GET(StringInit), MM_GET(StringCopy), MM_GET(StringGetDataPointer), MM_GET(StringGetSize), MM_GET(StringDealloc);
#undef MM_GET
  return symbols.missing();
}

}  // namespace

bool Library::try_open(const std::string& path, std::string* problem) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *problem = dlerror();
    return false;
  }
  Api functions{};
  const std::string missing = read_functions(library, functions);
  if (functions.Version == nullptr) {
    *problem = path + " does not export TF_Version: it is not TensorFlow";
    return false;
  }
  const std::string version = functions.Version();
  if (!version.starts_with("2.")) {
    *problem = path + " is TensorFlow " + version + "; 2.x is needed";
    return false;
  }
  if (!missing.empty()) {
    *problem = path + " is TensorFlow " + version + " and does not export " + missing + "; a later 2.x is needed";
    return false;
  }
  api = functions;
  opened_.version = version;
  // A bare name was found by the loader: say where.
  Dl_info info{};
  opened_.path = dladdr(reinterpret_cast<void*>(functions.Version), &info) != 0 && info.dli_fname != nullptr
                     ? info.dli_fname
                     : path;
  return true;
}

const Library::Opened* Library::open(std::string* problem) {
  const std::lock_guard lock(mutex_);
  if (ready_) return &opened_;
  const std::vector<std::string> candidates =
      configured_.empty() ? backend::library_candidates(kSearch, plugin_dir_) : std::vector<std::string>{configured_};
  // A file that is there but does not work says more than the names that are nowhere.
  std::string first_problem;
  for (const std::string& path : candidates) {
    std::string why;
    if (try_open(path, &why)) {
      ready_ = true;
      return &opened_;
    }
    if (first_problem.empty() && path.find('/') != std::string::npos) first_problem = why;
  }
  *problem = first_problem.empty() ? "the library of TensorFlow (libtensorflow_cc.so.2) was not found"
                                   : "the library of TensorFlow can't be used: " + first_problem;
  return nullptr;
}

}  // namespace modelmill::tensorflow
