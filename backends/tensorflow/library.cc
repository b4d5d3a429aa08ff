#include "library.h"

namespace modelmill::tensorflow {
namespace {

const backend::LibrarySearch kSearch{"MODELMILL_TENSORFLOW",
                                     {"tensorflow/libtensorflow_cc.so.2", "tensorflow/libtensorflow.so.2"},
                                     "libtensorflow*.so.2",
                                     {"libtensorflow.so.2", "libtensorflow_cc.so.2"}};

/// The name of a function that the library lacks, or empty.
std::string read_functions(void* library, Api& out) {
  backend::Symbols symbols(library);
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

Library::Library(std::string configured, std::string plugin_dir)
    : library_(kSearch, "TensorFlow", std::move(configured), std::move(plugin_dir),
               [this](void* handle, const std::string& path) { return bind(handle, path); }) {}

std::string Library::bind(void* handle, const std::string& path) {
  Api functions{};
  const std::string missing = read_functions(handle, functions);
  if (functions.Version == nullptr) return path + " does not export TF_Version: it is not TensorFlow";
  const std::string version = functions.Version();
  if (!version.starts_with("2.")) return path + " is TensorFlow " + version + "; 2.x is needed";
  if (!missing.empty())
    return path + " is TensorFlow " + version + " and does not export " + missing + "; a later 2.x is needed";
  api = functions;
  opened_.version = version;
  opened_.path = path;
  return {};
}

const Library::Opened* Library::open(std::string* problem) {
  return library_.open(problem).empty() ? nullptr : &opened_;
}

}  // namespace modelmill::tensorflow
