#include "interpreter.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>

#include "json_text.h"
#include "modelmill/backend.hpp"
#include "process.h"

namespace modelmill::python {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhole = "modelmill-complete";  // a file in what was made to its end
constexpr const char* kUnpack =
    "import sys, tarfile\n"
    "if hasattr(tarfile, 'fully_trusted_filter'): tarfile.TarFile.extraction_filter = staticmethod(\n"
    "  tarfile.fully_trusted_filter)\n"
    "tarfile.open(sys.argv[1]).extractall(sys.argv[2])\n";
constexpr const char* kVariable = "MODELMILL_PYTHON";
constexpr const char* kProbe =
    "import sys, json, site, sysconfig\n"
    "try:\n"
    "  from importlib.metadata import version; numpy = version('numpy')\n"
    "except Exception: numpy = ''\n"
    "paths = [p for p in sys.path if p.endswith(('site-packages', 'dist-packages'))]\n"
    "print(json.dumps({'version': '%d.%d.%d' % sys.version_info[:3], 'numpy': numpy, 'paths': paths,\n"
    "                  'old': sys.version_info < (3, 9)}))\n";

[[noreturn]] void fail(const std::string& what) { throw backend::Error(MM_FAILED_PRECONDITION, what); }

[[noreturn]] void fail_without_python(const std::string& what) { fail(what + "; " + kPythonRemedy); }

std::string text_of(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : "";
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// The program in a virtual environment's folder; empty when it is none.
std::string program_in(const fs::path& folder) {
  for (const char* name : {"bin/python3", "bin/python"})
    if (is_there(folder / name)) return (folder / name).string();
  return {};
}

std::string on_the_path(const std::string& name) {
  std::istringstream folders(text_of("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && is_there(fs::path(folder) / name)) return (fs::path(folder) / name).string();
  return {};
}

/// What was named: a program, or the folder of a virtual environment. `where` it was named, for the error.
std::string locate_named(const std::string& name, const std::string& where) {
  std::error_code error;
  if (fs::is_directory(name, error)) {
    std::string program = program_in(name);
    if (program.empty()) fail_without_python(where + ": there is no bin/python3 in the folder '" + name + "'");
    return program;
  }
  std::string program = name.find('/') == std::string::npos ? on_the_path(name) : name;
  if (program.empty() || !is_there(program)) fail_without_python(where + ": there is no program '" + name + "'");
  return program;
}

std::string locate(const std::string& configured, const std::string& plugin_dir) {
  if (!configured.empty()) return locate_named(configured, "--python");
  if (const std::string named = text_of(kVariable); !named.empty()) return locate_named(named, kVariable);
  if (const std::string active = text_of("VIRTUAL_ENV"); !active.empty())
    if (std::string program = program_in(active); !program.empty()) return program;
  for (fs::path folder = plugin_dir; folder.has_relative_path(); folder = folder.parent_path())
    if (is_there(folder / "pyvenv.cfg"))
      if (std::string program = program_in(folder); !program.empty()) return program;
  std::string program = on_the_path("python3");
  if (program.empty()) fail_without_python("there is no python3 on the PATH");
  return program;
}

Interpreter probe(const std::string& path) {
  int status = 0;
  const std::string text = run_process({{path, "-c", kProbe}, {}}, status);
  if (status != 0) fail_without_python("'" + path + "' is no Python that works: " + text);
  const auto json = backend::Json::parse(text);
  if (json["old"].boolean()) fail_without_python("'" + path + "' is Python " + json["version"].text());
  Interpreter out{path, json["version"].text(), json["numpy"].text(), {}};
  for (const auto& item : json["paths"].items()) out.paths.push_back(item.text());
  return out;
}

/// Makes a folder's lock the caller's until it is destroyed.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& file) : fd_(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    if (!fd_ || ::flock(fd_.get(), LOCK_EX) != 0) fail("'" + file.string() + "' can't be locked");
  }

 private:
  UniqueFd fd_;
};

/// Where an environment is kept that `made_of` tells from all others.
fs::path folder_of(const std::string& cache, const std::string& made_of) {
  char name[24];
  std::snprintf(name, sizeof name, "%016zx", std::hash<std::string>()(made_of));
  std::error_code error;
  fs::create_directories(cache, error);
  return fs::path(cache) / name;
}

void run_or_fail(const std::vector<std::string>& command, const std::string& what) {
  int status = 0;
  const std::string output = run_process({command, {{"PIP_DISABLE_PIP_VERSION_CHECK", "1"}}}, status);
  if (status != 0) fail(what + " (exit status " + std::to_string(status) + "):\n" + output);
}

/// MLflow's conda.yaml, of which the packages for pip are taken.
bool is_conda_environment(const std::string& requirements) { return requirements.ends_with(".yaml"); }

}  // namespace

Interpreter find_interpreter(const std::string& configured, const std::string& plugin_dir) {
  static std::mutex mutex;
  static auto* const known = new std::map<std::string, Interpreter>;
  const std::string path = locate(configured, plugin_dir);
  const std::lock_guard lock(mutex);
  if (const auto it = known->find(path); it != known->end() && !it->second.numpy.empty()) return it->second;
  return (*known)[path] = probe(path);
}

std::string find_package(const std::string& configured, const std::string& plugin_dir) {
  const fs::path plugins(plugin_dir);
  for (const fs::path& folder : {fs::path(configured), plugins / "python/modelmill", plugins / "../python/modelmill",
                                 plugins / "../.."})  // beside a build, an installation, in a wheel
    if (!folder.empty() && is_there(folder / "worker/__main__.py")) return fs::weakly_canonical(folder).string();
  fail("the Python package of modelmill is not found from '" + plugin_dir +
       "'; name its folder with --backend-config python,package=FOLDER");
}

Interpreter in_environment(const std::string& path, const Interpreter& base, const std::string& cache) {
  std::error_code error;
  const auto size = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
  const auto text = [&] { return "the environment '" + path + "'"; };
  if (fs::is_directory(path, error)) {
    const std::string program = program_in(path);
    if (program.empty()) fail(text() + " has no bin/python3");
    return probe(program);
  }
  const bool packed = path.ends_with(".tar.gz") || path.ends_with(".tgz") || path.ends_with(".tar");
  if (size == 0 || !packed) fail(text() + " is neither a folder nor a .tar.gz, .tgz or .tar that is there");
  const auto changed = fs::last_write_time(path, error).time_since_epoch().count();
  const fs::path folder = folder_of(cache, path + '\n' + std::to_string(size) + '\n' + std::to_string(changed));
  const FolderLock lock(folder.string() + ".lock");
  if (!is_there(folder / kWhole)) {
    fs::remove_all(folder, error);
    fs::create_directories(folder, error);
    run_or_fail({base.path, "-c", kUnpack, path, folder.string()}, text() + " can't be unpacked");
    if (program_in(folder).empty()) fail(text() + " holds no bin/python3");
    if (is_there(folder / "bin/conda-unpack"))
      run_or_fail({program_in(folder), (folder / "bin/conda-unpack").string()},
                  text() + " can't be moved to its place");
    std::ofstream(folder / kWhole) << path << '\n';
  }
  return probe(program_in(folder));
}

bool has_requirements(const Interpreter& base, const std::string& requirements, const std::string& package) {
  int status = 0;
  run_process({{base.path, package + "/worker/requirements.py", requirements}, {}}, status);
  return status == 0;
}

Interpreter with_requirements(const Interpreter& base, const std::string& requirements, const std::string& wheels,
                              const std::string& cache, const std::string& package) {
  std::ifstream in(requirements);
  std::stringstream text;
  text << in.rdbuf();
  const fs::path folder = folder_of(cache, text.str() + '\n' + wheels + '\n' + base.path + base.version);
  std::error_code error;
  const FolderLock lock(folder.string() + ".lock");
  const fs::path whole = folder / kWhole;
  const std::string program = (folder / "bin/python").string();
  if (!is_there(whole)) {
    fs::remove_all(folder, error);
    run_or_fail({base.path, "-m", "venv", folder.string()},
                "no virtual environment can be made for '" + requirements + "'");
    std::string listed = requirements;
    if (is_conda_environment(requirements)) {
      int status = 0;
      const std::string lines =
          run_process({{base.path, package + "/worker/requirements.py", "--list", requirements}, {}}, status);
      if (status != 0) fail("'" + requirements + "' can't be read:\n" + lines);
      listed = folder.string() + "/requirements.txt";
      std::ofstream(listed) << lines;
    }
    std::vector<std::string> command = {program, "-m", "pip", "install", "-q", "-r", listed};
    if (!wheels.empty()) command.insert(command.end(), {"--no-index", "--find-links", wheels});
    run_or_fail(command, "pip can't install '" + requirements + "'");
    Interpreter made = probe(program);
    // What the base has, numpy among it, is found behind what was installed here.
    std::ofstream more(fs::path(made.paths.empty() ? folder.string() : made.paths.front()) / "modelmill_base.pth");
    for (const std::string& path : base.paths) more << path << '\n';
    more.close();
    std::ofstream(whole) << requirements << '\n';
  }
  return probe(program);
}

}  // namespace modelmill::python
