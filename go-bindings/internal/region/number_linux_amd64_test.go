package region

const sysMemfdCreate = 319
