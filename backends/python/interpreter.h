#pragma once

#include <string>
#include <vector>

namespace modelmill::python {

/// What to do where there is none.
inline constexpr char kPythonRemedy[] =
    "install Python 3.9 or later with numpy, or name one with --python or the variable MODELMILL_PYTHON";

/// A Python that can run workers.
struct Interpreter {
  std::string path;
  std::string version;             // "3.11.2"
  std::string numpy;               // its version; empty: it has none
  std::vector<std::string> paths;  // where its packages are
};

/// The interpreter that `configured` names (a program, or the folder of a virtual environment); when it is empty that
/// which MODELMILL_PYTHON names likewise, of the active virtual environment, of the environment around `plugin_dir`, or
/// the `python3` on the PATH. Throws FAILED_PRECONDITION when there is none or it is too old.
Interpreter find_interpreter(const std::string& configured, const std::string& plugin_dir);

/// The interpreter of an environment that a model brings along: a folder with bin/python3, or an archive of one as
/// conda-pack makes it (.tar.gz, .tgz, .tar), which `base` unpacks into `cache` at the first need. Throws
/// FAILED_PRECONDITION.
Interpreter in_environment(const std::string& path, const Interpreter& base, const std::string& cache);

/// The folder of the package modelmill that the workers import, found from the plugin's. Throws FAILED_PRECONDITION.
std::string find_package(const std::string& configured, const std::string& plugin_dir);

/// Whether the interpreter has what a requirements.txt asks for, or MLflow's conda.yaml of pip. `package`: the folder
/// that find_package() found.
bool has_requirements(const Interpreter& base, const std::string& requirements, const std::string& package);

/// An interpreter with what such a file asks for, besides all that `base` has: a virtual environment in `cache`,
/// made at the first need. `wheels`: a folder to install from, without the network; empty: as pip is configured. Throws
/// FAILED_PRECONDITION with pip's output.
Interpreter with_requirements(const Interpreter& base, const std::string& requirements, const std::string& wheels,
                              const std::string& cache, const std::string& package);

}  // namespace modelmill::python
