# Where headers of torch are, one folder for each minor release that is served: those that tools/fetch-torch-headers
# brought, and those of the tests' torch. The libraries are found when the server runs, not here.
set(MODELMILL_TORCH_INCLUDES "" CACHE STRING "Folders that hold torch's headers (.../torch/include), ;-separated")

if(NOT MODELMILL_TORCH_INCLUDES)
  file(GLOB MODELMILL_TORCH_INCLUDES CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/build/torch-headers/*/torch/include
    ${PROJECT_SOURCE_DIR}/build/venvs/pytorch/lib/python3*/site-packages/torch/include)
endif()

# mm_torch_minor(INCLUDE OUT): "2.15", or empty when the folder does not tell.
function(mm_torch_minor include out)
  set(${out} "" PARENT_SCOPE)
  foreach(file torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
    if(EXISTS ${include}/${file})
      file(STRINGS ${include}/${file} major REGEX "define TORCH_VERSION_MAJOR [0-9]+$")
      file(STRINGS ${include}/${file} minor REGEX "define TORCH_VERSION_MINOR [0-9]+$")
      if(major AND minor)
        string(REGEX REPLACE ".* " "" major "${major}")
        string(REGEX REPLACE ".* " "" minor "${minor}")
        set(${out} ${major}.${minor} PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()
