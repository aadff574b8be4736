# jai_python_library(TARGET NAME): the shared library TARGET, called NAME in its file, goes where Python looks for it.
#
# That is JAI_PYTHON_FOLDER of the source tree with JAI_IN_PLACE, and of an installation; nowhere without JAI_PYTHON_FOLDER.
include_guard()

function(jai_python_library target name)
  # On Windows a library to be linked goes with it, and the static library has that name.
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} ARCHIVE_OUTPUT_NAME ${name}_import)
  if(JAI_IN_PLACE)
    set(in_place ${CMAKE_SOURCE_DIR}/${JAI_PYTHON_FOLDER})
    set_target_properties(${target} PROPERTIES
      LIBRARY_OUTPUT_DIRECTORY ${in_place} RUNTIME_OUTPUT_DIRECTORY ${in_place})
  endif()
  if(JAI_PYTHON_FOLDER)
    install(TARGETS ${target}
      LIBRARY DESTINATION ${JAI_PYTHON_FOLDER} RUNTIME DESTINATION ${JAI_PYTHON_FOLDER}
      ARCHIVE DESTINATION ${JAI_PYTHON_FOLDER} EXCLUDE_FROM_ALL)
  endif()
endfunction()
