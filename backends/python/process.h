#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "unique_fd.h"

namespace modelmill::python {

/// A worker's process and the server's ends of what leads to it.
struct Process {
  pid_t pid = -1;
  UniqueFd handle;         // a pidfd: readable when it has ended
  UniqueFd data, control;  // stream sockets; in the worker descriptors 3 and 4
  UniqueFd out, err;       // pipes of its standard output and error
};

struct ProcessArgs {
  std::vector<std::string> command;                // the program's path first
  std::map<std::string, std::string> environment;  // beside the server's own
};

/// Starts a process in a group of its own, without the server's signal mask, and without any other of its descriptors.
/// Throws UNAVAILABLE.
Process start_process(const ProcessArgs& args);

/// Ends the process with its group, at once. It stays to be reaped.
void kill_process(const Process& process);

/// Reaps a process that has ended. "exited with status 1", "was killed by signal 11 (SIGSEGV)".
std::string reap_process(Process& process);

/// Runs a command to its end and returns what it wrote, standard output and error together. `status`: its exit status,
/// 128 and more for a signal. Throws UNAVAILABLE when it can't be started.
std::string run_process(const ProcessArgs& args, int& status);

}  // namespace modelmill::python
