package region

const sysMemfdCreate = 279
